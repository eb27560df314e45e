export { bootstrap } from './bootstrap';
export { collectBundle, type Bundle, type Migration } from './bundle';
export { MIGRATOR, SERVICES, SERVICE_GROUP, loginOf, schemaOf, type ServiceName } from './names';
export { ensureDatabase, prepareDatabase } from './prepare';
export { assertUnprivileged, createPool, type PoolOptions } from './pool';
export { provisioner, type PlacementKind, type Provisioner } from './provisioning';
export { SQLSTATE, identifier, literal, sqlState, type Sql } from './sql';
export { translated, unitOfWork, type UnitOfWork } from './unit-of-work';
