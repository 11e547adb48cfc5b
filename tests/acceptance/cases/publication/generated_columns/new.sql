create publication p;
create publication q with (publish_generated_columns = stored, publish = 'update');
create publication r for all tables with (publish_generated_columns = stored);
