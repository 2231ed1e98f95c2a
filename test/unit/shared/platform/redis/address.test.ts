import { describe, expect, test } from 'vitest';
import { parseRedisAddress } from '../../../../../shared/platform/redis/client.ts';
import { keysOf } from '../../../../../shared/platform/redis/keys.ts';
import { plainLines } from '../../../../../shared/platform/redis/plain-lines.ts';

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

describe('plain lines', () => {
  test.each([
    ['', ['']],
    ['\n', ['']],
    ['a\n\nb\n', ['a', '', 'b']],
    ['a\r', ['a']],
    ['a\rb\r\n', ['b']],
    ['\r', ['']],
    ['\u001b[1;31mred\u001b[m', ['red']],
    ['\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', ['link']],
    ['\u009b31mred', ['31mred']],
    ['a\u0000b\u0008c\u007f', ['abc']],
    ['tab\there', ['tab\there']],
  ])('%j', (text, lines) => {
    expect(plainLines(text, 100)).toEqual(lines);
  });

  test('are cut between characters', () => {
    for (let most = 4; most < 40; most += 1) {
      const [line = ''] = plainLines('ä€😀'.repeat(10), most);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(most);
      expect(line).not.toContain('\ufffd');
    }
  });
});
