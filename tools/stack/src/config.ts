import { choice, integer, optionalUrl, tokenSetting, type Settings } from '@weir/service-host';

/** What the launcher itself reads of the environment, beside where the parts are; every other WEIR_… reaches every service. */
export interface StackConfig {
  readonly port: number;
  readonly managementPort: number;
  readonly operatorToken: string | undefined;
  readonly upstreamUrl: string | undefined;
  readonly demo: 'on' | 'off';
}

export const settings: Settings<StackConfig> = {
  port: integer('WEIR_PORT', 'Port of the edge; 0 takes any free one', 8080, { max: 65_535 }),
  managementPort: integer('WEIR_MANAGEMENT_PORT', 'Port of /livez, /readyz and /metrics; 0 takes any free one', 9090, { max: 65_535 }),
  operatorToken: tokenSetting('WEIR_OPERATOR_TOKEN', "The operator's token; else one is made"),
  upstreamUrl: optionalUrl('WEIR_UPSTREAM_URL', 'The upstream; the simulator where unset'),
  demo: choice('WEIR_DEMO', 'Make three demo tenants and a platform key on the first start', ['on', 'off'], 'on'),
};
