import { choice, integer, optionalUrl, text, tokenSetting, type Settings } from '@weir/service-host';

export interface StandaloneConfig {
  readonly host: string;
  readonly port: number;
  readonly managementPort: number;
  readonly dataDir: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly operatorToken: string | undefined;
  readonly demo: 'on' | 'off';
  readonly upstreamUrl: string | undefined;
  readonly simulatorPort: number;
  readonly simulatorLatencyMs: number;
  readonly postgresPort: number;
  readonly staleAfterMs: number;
}

export const settings: Settings<StandaloneConfig> = {
  host: text('WEIR_HOST', 'Address to listen on', '127.0.0.1'),
  port: integer('WEIR_PORT', 'Port of the API; 0 takes any free one', 8080, { max: 65_535 }),
  managementPort: integer('WEIR_MANAGEMENT_PORT', 'Port of /livez, /readyz and /metrics; 0 takes any free one', 9090, { max: 65_535 }),
  dataDir: text('WEIR_DATA_DIR', 'Where database, key file and tokens are kept', '.weir'),
  logLevel: choice('WEIR_LOG_LEVEL', 'How much to log', ['debug', 'info', 'warn', 'error', 'silent'], 'warn'),
  operatorToken: tokenSetting('WEIR_OPERATOR_TOKEN', "The operator's token; else one is made, printed once and kept in standalone.json"),
  demo: choice('WEIR_DEMO', 'Make three demo tenants and a platform key on the first start', ['on', 'off'], 'on'),
  upstreamUrl: optionalUrl('WEIR_UPSTREAM_URL', 'The upstream; the simulator where unset'),
  simulatorPort: integer('WEIR_SIMULATOR_PORT', 'Port of the upstream simulator; 0 takes any free one', 0, { max: 65_535 }),
  simulatorLatencyMs: integer('WEIR_SIMULATOR_LATENCY_MS', "Median of the simulator's answers, ms", 120, { max: 60_000 }),
  postgresPort: integer('WEIR_POSTGRES_PORT', 'Port of the embedded Postgres; 0 takes any free one', 0, { max: 65_535 }),
  staleAfterMs: integer('WEIR_STALE_AFTER_MS', 'Age past which state tables are not trusted', 120_000, { min: 1_000 }),
};
