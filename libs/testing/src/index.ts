export { client, type Answer, type Client } from './client';
export { LOGIN_PASSWORD, freshDatabase, type TestDatabase } from './database';
export { eventually } from './eventually';
export { given } from './given';
export { freshRedis, type TestRedis } from './redis';
export { startOwnRedis, type OwnRedis } from './own-redis';
export { startTestPlatform, type TestPlatform, type TestTenant } from './platform';
export { freshPrefix, servers, type Servers } from './servers';
export { startTestService, type TestServiceOptions } from './service';
