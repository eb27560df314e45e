export { startRelay, type Relay, type RelayOptions } from './relay';
export { relayLag, tenantProgress, waitingTenants, type RelayLag, type TenantLag, type TenantProgress, type WaitingTenant } from './lag';
export { reEmit, reEmittable } from './re-emission';
