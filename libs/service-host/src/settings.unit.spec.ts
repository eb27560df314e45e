import { mintToken } from '@weir/access';
import { choice, choices, describeSettings, integer, optionalUrl, parseSettings, text, url } from './settings';
import { tokenSetting } from './token-setting';

const settings = {
  url: text('WEIR_POSTGRES_URL', 'The login'),
  port: integer('WEIR_PORT', 'Port', 8080, { max: 65_535 }),
  level: choice('WEIR_LOG_LEVEL', 'How much', ['info', 'warn'], 'info'),
  roles: choices('WEIR_ROLES', 'What it does', ['http', 'relay'], 'http,relay'),
  upstream: optionalUrl('WEIR_UPSTREAM_URL', 'The upstream'),
  simulator: url('WEIR_SIMULATOR_URL', 'The simulator', 'http://127.0.0.1:1'),
  token: tokenSetting('WEIR_OPERATOR_TOKEN', 'The token'),
};
const parse = (environment: Record<string, string>) => parseSettings(settings, { WEIR_POSTGRES_URL: 'postgres://x', ...environment });

describe('settings from the environment', () => {
  it('have their defaults where nothing or an empty text is given', () => {
    expect(parse({ WEIR_PORT: '' })).toEqual({
      url: 'postgres://x',
      port: 8080,
      level: 'info',
      roles: ['http', 'relay'],
      upstream: undefined,
      simulator: 'http://127.0.0.1:1',
      token: undefined,
    });
  });

  it.each([
    ['WEIR_PORT', 'abc', 'not a whole number from 0 to 65535'],
    ['WEIR_PORT', '-1', 'not a whole number from 0 to 65535'],
    ['WEIR_PORT', '1.5', 'not a whole number from 0 to 65535'],
    ['WEIR_PORT', '65536', 'not a whole number from 0 to 65535'],
    ['WEIR_LOG_LEVEL', 'loud', 'none of info, warn'],
    ['WEIR_ROLES', 'http,cook', 'none of http, relay'],
    ['WEIR_UPSTREAM_URL', 'ftp://x', 'not an http or https address'],
    ['WEIR_SIMULATOR_URL', 'nowhere', 'not an http or https address'],
  ])('are refused on one line that names the variable and what it takes: %s=%s', (variable, value, problem) => {
    expect(() => parse({ [variable]: value })).toThrow(`bad configuration: ${variable}: ${problem}`);
  });

  it('are refused all at once', () => {
    expect(() => parseSettings(settings, { WEIR_PORT: 'x', WEIR_LOG_LEVEL: 'x' })).toThrow(
      'bad configuration: WEIR_POSTGRES_URL must be set; WEIR_PORT: not a whole number from 0 to 65535; WEIR_LOG_LEVEL: none of info, warn',
    );
  });

  it('refuse a token that would be refused at every call, and do not repeat it', () => {
    const { token } = mintToken({ mode: 'live' });
    expect(parse({ WEIR_OPERATOR_TOKEN: token }).token).toBe(token);
    const typo = `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`;
    expect(() => parse({ WEIR_OPERATOR_TOKEN: typo })).toThrow(/^bad configuration: WEIR_OPERATOR_TOKEN: not a token: (?!.*weir_live_0).*$/);
  });

  it('are described with their defaults, one line each', () => {
    const lines = describeSettings(settings).split('\n').slice(1);
    expect(lines).toHaveLength(Object.keys(settings).length);
    expect(lines[0]).toMatch(/WEIR_POSTGRES_URL +The login \[required\]/);
    expect(lines[1]).toMatch(/WEIR_PORT +Port \[default 8080\]/);
  });
});
