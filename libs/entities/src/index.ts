export { closeDataSources, entityWork, openDataSources, type DataSources, type EntitySql, type Entities } from './entity-work';
export { schemaDifferences } from './schema-differences';
