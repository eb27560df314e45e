export { startRelay, type Relay, type RelayOptions } from './relay';
export { relayLag, type RelayLag, type TenantLag } from './lag';
export { reEmit, reEmittable } from './re-emission';
