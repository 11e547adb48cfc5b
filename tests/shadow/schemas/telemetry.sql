-- Measurements: partitions by range, list, hash and below each other, inheritance, keys to partitioned tables.
create schema telemetry;
create type telemetry.unit as enum ('celsius', 'percent', 'pascal');
create table telemetry.site (id integer primary key, region text not null check (region in ('eu', 'us', 'ap')), timezone text not null default 'UTC', geo polygon);
create table telemetry.device (
  id uuid primary key, site_id integer not null references telemetry.site, serial text not null unique check (serial ~ '^SN[0-9A-F]{8}$'),
  mac macaddr not null, addresses inet[] not null default '{}', firmware text not null check (firmware ~ '^v?\d+\.\d+\.\d+(-[a-z]+)?$'), enabled boolean not null default true,
  latitude double precision check (latitude >= -90 and latitude <= 90), longitude double precision check (longitude between -180 and 180),
  check ((latitude is null) = (longitude is null))
);
create table telemetry.measurement (
  device_id uuid not null references telemetry.device, at timestamptz not null, unit telemetry.unit not null, value double precision not null check (value <> 'NaN'),
  quality smallint not null default 100 check (quality between 0 and 100), primary key (device_id, at)
) partition by range (at);
create table telemetry.measurement_2024 partition of telemetry.measurement for values from ('2024-01-01+00') to ('2025-01-01+00');
create table telemetry.measurement_2025 partition of telemetry.measurement for values from ('2025-01-01+00') to ('2026-01-01+00') partition by range (at);
create table telemetry.measurement_2025_c partition of telemetry.measurement_2025 for values from ('2025-01-01+00') to ('2025-07-01+00');
create table telemetry.measurement_2025_o partition of telemetry.measurement_2025 for values from ('2025-07-01+00') to ('2026-01-01+00');
create table telemetry.measurement_rest partition of telemetry.measurement default;
create table telemetry.annotation (
  id bigserial primary key, device_id uuid not null, at timestamptz not null, body text not null, foreign key (device_id, at) references telemetry.measurement
);
create table telemetry.session (id integer not null, region text not null, started date not null, primary key (id, region)) partition by list (region);
create table telemetry.session_eu partition of telemetry.session for values in ('eu');
create table telemetry.session_us partition of telemetry.session for values in ('us', null);
create table telemetry.session_other partition of telemetry.session default;
create table telemetry.event (
  id bigint not null, session_id integer not null, region text not null, kind text not null check (kind in ('open', 'close')),
  primary key (id), foreign key (session_id, region) references telemetry.session
) partition by hash (id);
create table telemetry.event_0 partition of telemetry.event for values with (modulus 4, remainder 0);
create table telemetry.event_1 partition of telemetry.event for values with (modulus 4, remainder 1);
create table telemetry.event_2 partition of telemetry.event for values with (modulus 4, remainder 2);
create table telemetry.event_3 partition of telemetry.event for values with (modulus 4, remainder 3);
create table telemetry.rollup (device_id uuid not null, level integer not null, day date not null, low real, mean real, high real, check (low <= mean and mean <= high), check (level > 0)) partition by range (level, day);
create table telemetry.rollup_a partition of telemetry.rollup for values from (1, '2024-01-01') to (1, '2024-02-01');
create table telemetry.rollup_b partition of telemetry.rollup for values from (1, '2024-02-01') to (5, minvalue);
create table telemetry.rollup_c partition of telemetry.rollup for values from (5, minvalue) to (maxvalue, maxvalue);
create table telemetry.asset (id integer primary key, name text not null check (length(name) >= 3), bought date not null);
create table telemetry.vehicle (plate text not null unique check (plate ~ '^[A-Z]{1,3}-[A-Z]{1,2} [0-9]{1,4}$'), check (id > 1000)) inherits (telemetry.asset);
create table telemetry.truck (axles smallint not null check (axles in (2, 3, 4)), load_kg integer) inherits (telemetry.vehicle);
create table telemetry.maintenance (id serial primary key, asset_id integer not null references telemetry.asset, done tstzrange not null, cost money not null check (cost::numeric > 0));
create table telemetry.alert (
  id uuid primary key, device_id uuid references telemetry.device on delete set null, severity text not null check (severity in ('low', 'high')),
  raised timestamptz not null, acknowledged timestamptz, closed timestamptz, tags jsonb not null check (tags @> '{"v": 1}'),
  check (acknowledged > raised), check (closed is null or (acknowledged is not null and closed > acknowledged)), check (raised > '2023-01-01')
);
create table telemetry.threshold (device_id uuid primary key references telemetry.device, warn int4range not null, alarm int4range not null, check (not warn && alarm), check (lower(warn) < lower(alarm)));
create table telemetry.firmware_file (sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'), bytes bigint not null check (bytes > 0 and bytes % 512 = 0), name text not null check (name like '%.bin'), platforms text[] not null check (platforms && '{arm,x86}'));
