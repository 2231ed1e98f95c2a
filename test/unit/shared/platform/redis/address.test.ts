import { describe, expect, test } from 'vitest';
import { parseRedisAddress } from '../../../../../shared/platform/redis/client.ts';
import { keysOf } from '../../../../../shared/platform/redis/keys.ts';

describe('the address of Redis', () => {
  test.each([
    ['redis://localhost:6379/1', { kind: 'url', url: 'redis://localhost:6379/1' }],
    ['rediss://:secret@redis.example.org', { kind: 'url', url: 'rediss://:secret@redis.example.org' }],
    ['unix:/run/varve/redis.sock', { kind: 'socket', path: '/run/varve/redis.sock' }],
    ['unix:///run/varve/redis.sock', { kind: 'socket', path: '/run/varve/redis.sock' }],
    ['/run/varve/redis.sock', { kind: 'socket', path: '/run/varve/redis.sock' }],
  ])('%s is understood', (text, address) => {
    expect(parseRedisAddress(text)).toEqual(address);
  });

  test.each([
    '',
    'localhost:6379',
    'http://localhost',
    'unix:',
    'unix:relative.sock',
    'redis://',
    'redis://:secret@:x',
  ])('%j is refused, and not repeated', (text) => {
    expect(() => parseRedisAddress(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => parseRedisAddress(text)).not.toThrow(/secret/);
  });
});

describe('the keys of a fleet', () => {
  test('are all in one slot of a cluster', () => {
    const key = keysOf('lab-1');
    expect(key('term')).toMatch(/^\{varve:lab-1\}:\d+:term$/);
  });

  test.each(['', 'a}b', '{', 'Ä', '-a', 'a'.repeat(64)])('%j is no name for a fleet', (fleet) => {
    expect(() => keysOf(fleet)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});
