import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AnswerReader, WireError, type WireAnswer } from './answer-reader';

/** One call on its way, which hears of the connection that it was given. */
export interface WireCall {
  /** The request as it goes over the wire, ASCII. */
  readonly request: string;
  readonly maxBodyBytes: number;
  /** It waits no longer. */
  readonly ended: boolean;
  /** Told just before the request is written: from then on the upstream may have been asked. */
  sending(connection: Connection): void;
  answered(answer: WireAnswer): void;
  /** Before or after it was sent. */
  failed(error: Error): void;
}

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly connectTimeoutMs: number;
}

/** What becomes of a connection. */
export interface ConnectionOwner {
  /** It may carry the next call. */
  free(connection: Connection): void;
  /** Once, and nothing after that. */
  gone(connection: Connection): void;
}

/** All connections read into it: what is read is used at once, or copied. */
const READ = Buffer.allocUnsafeSlow(65_536);

/** A connection to the upstream that carries one call at a time. */
export class Connection {
  private readonly socket: Socket;
  private over = false;
  private call: WireCall | undefined;
  private reader: AnswerReader | undefined;
  private idleUntil = 0;

  /** @param call the one that it is opened for */
  constructor(
    options: ConnectionOptions,
    private readonly owner: ConnectionOwner,
    call: WireCall,
  ) {
    this.call = call;
    const { host, port, secure, connectTimeoutMs } = options;
    const onread = {
      buffer: READ,
      callback: (bytes: number, buffer: Uint8Array) => {
        this.read((buffer as Buffer).subarray(0, bytes));
        return true;
      },
    };
    // addresses have no SNI (RFC 6066), and are checked against the certificate all the same; no variable of the environment turns the check off
    const tls = { rejectUnauthorized: true, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 ? { servername: host } : {}) };
    this.socket = secure
      ? connectTls({ host, port, ...tls }, () => this.opened())
      : connectPlain({ host, port, onread }, () => this.opened());
    if (secure) this.socket.on('data', (bytes: Buffer) => this.read(bytes));
    const tooSlow = setTimeout(() => this.fail(new Error(`no connection within ${connectTimeoutMs} ms`)), connectTimeoutMs);
    this.socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(tooSlow));
    this.socket.once('close', () => clearTimeout(tooSlow));
    this.socket.setNoDelay(true);
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('end', () => this.ended());
    // an end that was told of came before it
    this.socket.on('close', () => this.fail(new Error('the connection was lost')));
  }

  /** Whether it may still be used: the server has not ended it, and will not for a moment. */
  usable(now: number): boolean {
    return !this.over && now < this.idleUntil;
  }

  send(call: WireCall): void {
    this.call = call;
    this.reader = new AnswerReader(call.maxBodyBytes);
    call.sending(this);
    // a call that was ended by hearing of it has ended the connection, too
    if (!this.over) this.socket.write(call.request, 'latin1');
  }

  /** Whatever is on its way is nobody's any more. */
  destroy(): void {
    if (this.over) return;
    this.over = true;
    this.call = undefined;
    this.reader = undefined;
    this.socket.destroy();
    this.owner.gone(this);
  }

  /** The same, and the call that it carries is told of it. */
  fail(error: Error): void {
    const { call } = this;
    this.destroy();
    call?.failed(error);
  }

  private opened(): void {
    if (this.over) return;
    const { call } = this;
    if (call === undefined || call.ended) this.rest(LATE_MS);
    else this.send(call);
  }

  private read(bytes: Buffer): void {
    if (this.over) return;
    const { reader } = this;
    if (reader === undefined) return this.fail(new WireError('an answer that nobody has asked for'));
    let answer: WireAnswer | undefined;
    try {
      answer = reader.feed(bytes);
    } catch (error) {
      return this.fail(error as Error);
    }
    if (answer !== undefined) this.answer(answer);
  }

  /** The connection may carry the next call before this one is told: what it was given must not end it any more. */
  private answer(answer: WireAnswer): void {
    const { call } = this;
    if (answer.idleMs > 0) this.rest(answer.idleMs);
    else this.destroy();
    call?.answered(answer);
  }

  private rest(idleMs: number): void {
    this.call = undefined;
    this.reader = undefined;
    this.idleUntil = performance.now() + idleMs;
    this.owner.free(this);
  }

  /** By the server. */
  private ended(): void {
    if (this.over) return;
    let answer: WireAnswer;
    try {
      if (this.reader === undefined) throw new WireError('the connection ended before it was used');
      answer = this.reader.end();
    } catch (error) {
      return this.fail(error as Error);
    }
    this.answer(answer);
  }
}

/** Whoever it was opened for had gone when it was there. */
const LATE_MS = 1_000;
