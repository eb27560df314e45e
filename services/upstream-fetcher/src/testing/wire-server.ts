import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** One request as a server's side of the wire has it. */
export interface WireRequest {
  readonly socket: Socket;
  readonly path: string;
  readonly head: string;
  /** Of the connection, from 1. */
  readonly connection: number;
}

export interface WireServer {
  readonly port: number;
  readonly url: string;
  /** Paths in the order in which they came. */
  readonly seen: readonly string[];
  /** Ever made, and standing. */
  readonly connections: { readonly made: number; readonly open: number };
  close(): Promise<void>;
}

/** A server that says what a spec has it say, right or wrong. */
export async function wireServer(
  answer: (request: WireRequest) => void,
  host = '127.0.0.1',
  server: Server = createServer(),
): Promise<WireServer> {
  const seen: string[] = [];
  const open = new Set<Socket>();
  let made = 0;
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
  });
  // of TLS this is the socket within
  server.on('setTicketKeys' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    const connection = ++made;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        const path = head.split(' ')[1] ?? '';
        seen.push(path);
        answer({ socket, path, head, connection });
      }
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    seen,
    connections: {
      get made() {
        return made;
      },
      get open() {
        return open.size;
      },
    },
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** An answer whole, with its length. */
export const whole = (body: string, ...headers: string[]): string =>
  ['HTTP/1.1 200 OK', ...headers, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
