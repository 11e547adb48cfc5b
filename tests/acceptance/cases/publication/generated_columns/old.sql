create publication p with (publish_generated_columns = stored);
create publication q;
