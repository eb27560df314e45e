export { freshDatabase, type TestDatabase } from './database';
export { eventually } from './eventually';
export { given } from './given';
export { freshRedis, type TestRedis } from './redis';
export { freshPrefix, servers, type Servers } from './servers';
export { startTestService, type TestServiceOptions } from './service';
