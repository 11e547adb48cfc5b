"""Two tenants in a scratch database: whose each table is, who may act for whom, and rows that belong to the one or the other."""
