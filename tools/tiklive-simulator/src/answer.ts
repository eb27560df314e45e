/** What goes back to a caller, decided before a byte of it is sent. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** How it arrives; `whole` unless a fault says otherwise. */
  readonly arrives: 'whole' | 'cut-before-headers' | 'cut-in-body' | { readonly bombBytes: number };
}

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' } as const;

export const json = (status: number, body: object, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(body),
  arrives: 'whole',
});

/** The upstream's own way to say that something is wrong. */
export const refusal = (status: number, error: string, headers: Readonly<Record<string, string>> = {}): Answer => json(status, { error }, headers);
