import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@weir/kernel';
import { freePort } from '@weir/stack';

export interface Nginx {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Where Debian puts modules and Lua's libraries. */
const MODULES = '/usr/lib/nginx/modules';
const LUA_PATH = '/usr/share/lua/5.1/?.lua;;';

/** @throws Error that says what to install */
export function assertNginx(): void {
  const present = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).status === 0;
  if (!present || !existsSync(join(MODULES, 'ngx_http_lua_module.so')))
    throw new Error('the bench data-plane compares with nginx and its Lua module: apt-get install nginx-light libnginx-mod-http-lua (and, for Redis at each request, lua-nginx-redis)');
}

export const hasLuaRedis = (): boolean => existsSync('/usr/share/lua/5.1/nginx/redis.lua');

/** One worker, nothing logged, connections kept. `http` is the rest of the http block; PORT in it is the port to listen on. */
async function startNginx(directory: string, name: string, http: string): Promise<Nginx> {
  const dir = join(directory, name);
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/${kind};`).join(' ');
  const file = join(dir, 'nginx.conf');
  writeFileSync(
    file,
    `user root; worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log error;
load_module ${MODULES}/ndk_http_module.so; load_module ${MODULES}/ngx_http_lua_module.so;
events { worker_connections 16000; }
http {
  access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s; lua_package_path '${LUA_PATH}'; ${temporary}
  ${http.replaceAll('PORT', String(port))}
}
`,
  );
  const child = spawn('nginx', ['-c', file], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([listening(port), ended.then(([code]) => Promise.reject(new Error(`nginx ended with ${String(code)}: see ${dir}/error.log`)))]);
  return {
    port,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The upstream: one body for whatever is asked, at once, or later where `slow` or `slower` stands in the query. */
export function startUpstream(directory: string, body: string, largeBody: string): Promise<Nginx> {
  const later = (seconds: number) =>
    `default_type application/json; content_by_lua_block { ngx.sleep(${seconds}); ngx.header['Content-Length'] = ${Buffer.byteLength(body)}; ngx.print('${body}') }`;
  writeFileSync(join(directory, 'large.json'), largeBody);
  return startNginx(
    directory,
    'upstream',
    `server { listen 127.0.0.1:PORT backlog=8192;
      location / { default_type application/json;
        if ($args ~ slower) { rewrite ^ /later-still last; }
        if ($args ~ slow) { rewrite ^ /later last; }
        if ($args ~ large) { rewrite ^ /large.json last; }
        return 200 '${body}'; }
      location /later { ${later(0.05)} }
      location /later-still { ${later(0.75)} }
      location /large.json { root ${directory}; default_type application/json; open_file_cache max=10; }
    }`,
  );
}

/** What people put before a metered API: a token looked up in a table, a bucket a tenant in shared memory, the key put in. */
export function startLuaGateway(directory: string, upstreamPort: number, tokens: readonly string[]): Promise<Nginx> {
  return startNginx(directory, 'lua', gateway(upstreamPort, tokens, LOCAL_BUCKET));
}

/** The same with the bucket in Redis: one script a request. */
export function startLuaRedisGateway(directory: string, upstreamPort: number, tokens: readonly string[], redisPort: number): Promise<Nginx> {
  return startNginx(directory, 'lua-redis', gateway(upstreamPort, tokens, redisBucket(redisPort)));
}

const gateway = (upstreamPort: number, tokens: readonly string[], bucket: string): string => `
  lua_shared_dict buckets 10m;
  init_by_lua_block { TENANTS = {}; ${tokens.map((token, n) => `TENANTS['${token}'] = { id = 't${n}', key = 'a-key-of-the-platform' };`).join(' ')} }
  upstream upstream { server 127.0.0.1:${upstreamPort}; keepalive 1024; keepalive_requests 100000000; }
  server { listen 127.0.0.1:PORT backlog=8192;
    location / {
      access_by_lua_block { local tenant = TENANTS[ngx.var.http_x_api_key]; if not tenant then return ngx.exit(401) end; ${bucket} ngx.req.set_header('X-Api-Key', tenant.key) }
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://upstream;
    }
  }`;

const LOCAL_BUCKET = `
  local buckets = ngx.shared.buckets; local now = ngx.now(); local left, at = 1e6, now; local kept = buckets:get(tenant.id);
  if kept then local colon = string.find(kept, ':', 1, true); left = tonumber(string.sub(kept, 1, colon - 1)); at = tonumber(string.sub(kept, colon + 1)) end;
  left = math.min(1e6, left + (now - at) * 1e6); if left < 1 then return ngx.exit(429) end; buckets:set(tenant.id, (left - 1) .. ':' .. now);`;

const redisBucket = (port: number): string => `
  local redis = require('nginx.redis'):new(); redis:set_timeout(1000); if not redis:connect('127.0.0.1', ${port}) then return ngx.exit(500) end;
  local taken = redis:eval([[${REDIS_SCRIPT}]], 1, 'bucket:' .. tenant.id, 1e6, 1e6);
  redis:set_keepalive(10000, 256); if taken ~= 1 then return ngx.exit(429) end;`;

const REDIS_SCRIPT = `local t = redis.call('TIME'); local now = t[1] + t[2] / 1e6; local b = redis.call('HMGET', KEYS[1], 'left', 'at');
 local left = math.min(tonumber(ARGV[1]), (tonumber(b[1]) or tonumber(ARGV[1])) + (now - (tonumber(b[2]) or now)) * tonumber(ARGV[2]));
 if left < 1 then return 0 end; redis.call('HSET', KEYS[1], 'left', left - 1, 'at', now); redis.call('EXPIRE', KEYS[1], 60); return 1`;

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await sleep(25);
  }
  throw new Error('nginx does not listen');
}
