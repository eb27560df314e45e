import { routesWith, type Route } from '@weir/stack';
import { SERVICES, type ServiceName } from '@weir/tenancy';
import { stringify } from 'yaml';

const HTTP_MANAGER = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const ROUTER = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const UPSTREAM_HTTP = 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const HEADER = `# The edge: which service answers which path. Generated from tools/stack/src/routes.ts by
# \`npm run check:deploy -- --write\`; check:deploy and the tests fail when the two differ.
`;

/**
 * The configuration of the Envoy that docker-compose.yml and k8s/ put in front.
 *
 * @param options base paths of further upstreams, where each service answers, and which ports to take; the defaults are those of the deployment
 */
export function envoyConfig(
  options: { basePaths?: readonly string[]; port?: number; managementPort?: number; adminPort?: number; addressOf?: (service: ServiceName) => { host: string; port: number } } = {},
): string {
  const { basePaths = [], port = 8080, managementPort = 9090, adminPort = 9901, addressOf = (service) => ({ host: service, port: 8080 }) } = options;
  const config = {
    admin: { address: socket('127.0.0.1', adminPort) },
    static_resources: {
      listeners: [
        listener('api', port, [...routesWith(basePaths).map(toService), notFound], {
          use_remote_address: true,
          // one spelling of a path: what is routed is what the service sees
          normalize_path: true,
          merge_slashes: true,
          path_with_escaped_slashes_action: 'REJECT_REQUEST',
          server_header_transformation: 'PASS_THROUGH',
          local_reply_config: { body_format: problem },
        }),
        listener('management', managementPort, MANAGEMENT, {}),
      ],
      clusters: [...SERVICES.map((service) => cluster(service, addressOf(service))), cluster('admin', { host: '127.0.0.1', port: adminPort })],
    },
  };
  return HEADER + stringify(config, { lineWidth: 140, aliasDuplicateObjects: false });
}

const socket = (address: string, port: number) => ({ socket_address: { address, port_value: port } });

// no retries: a call may have cost credits
const toService = ({ pattern, service }: Route) => ({ match: matchOf(pattern), route: { cluster: service, timeout: '120s' } });

const matchOf = (pattern: string) =>
  pattern.includes('{')
    ? { safe_regex: { regex: `${pattern.replace(/\{[^}]+\}/g, '[^/]+')}(/.*)?` } }
    : { path_separated_prefix: pattern };

const notFound = { match: { prefix: '/' }, direct_response: { status: 404, body: { inline_string: 'No service has this path.' } } };

const ok = { status: 200, body: { inline_string: '{"live":true}' } };
const MANAGEMENT = [
  { match: { path: '/livez' }, direct_response: ok },
  { match: { path: '/readyz' }, direct_response: ok },
  { match: { path: '/metrics' }, route: { cluster: 'admin', prefix_rewrite: '/stats/prometheus' } },
];

/** What Envoy itself has to say, in the form of every other error. */
const problem = {
  content_type: 'application/problem+json',
  json_format: {
    type: 'about:blank',
    title: '%RESPONSE_CODE_DETAILS%',
    status: '%RESPONSE_CODE%',
    code: 'edge-%RESPONSE_CODE%',
    detail: '%LOCAL_REPLY_BODY%',
  },
};

function listener(name: string, port: number, routes: readonly object[], more: object) {
  const manager = {
    '@type': HTTP_MANAGER,
    stat_prefix: name,
    // no access log: a query names people, and each service logs its own calls
    route_config: { virtual_hosts: [{ name, domains: ['*'], routes }] },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': ROUTER } }],
    ...more,
  };
  return {
    name,
    address: socket('0.0.0.0', port),
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
  };
}

function cluster(name: string, address: { host: string; port: number }) {
  return {
    name,
    type: 'STRICT_DNS',
    dns_lookup_family: 'V4_PREFERRED',
    connect_timeout: '2s',
    circuit_breakers: { thresholds: [{ max_connections: 10_000, max_pending_requests: 10_000, max_requests: 10_000 }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': UPSTREAM_HTTP,
        // shorter than the services keep a silent connection: no request goes into one that is being closed
        common_http_protocol_options: { idle_timeout: '60s' },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(address.host, address.port) } }] }] },
  };
}
