import { script } from './script.ts';

/*
 * The hash `term` identifies the store's current life: epoch, incarnation, and the run id of the Redis server in which
 * it began. A server that was restarted has another run id, so the life ends with the server, even if its data
 * survived. The comparison is made inside each script: no write can slip in between (INFO costs 5 µs there).
 */
const preamble = `
local function run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or 'unknown'
end
local function lives(epoch, incarnation)
  local term = redis.call('HMGET', KEYS[1], 'epoch', 'incarnation', 'run')
  return term[1] == epoch and term[2] == incarnation and term[3] == run()
end
local function changed()
  redis.call('PUBLISH', KEYS[1] .. ':changed', '')
end
`;

/** KEYS term, hash; ARGV field. → epoch, incarnation and the field's value; nothing in a store without a life. */
export const readScript = script(`${preamble}
local term = redis.call('HMGET', KEYS[1], 'epoch', 'incarnation', 'run')
if not term[3] or term[3] ~= run() then return false end
return { term[1], term[2], redis.call('HGET', KEYS[2], ARGV[1]) }
`);

/** KEYS term, contacts, targets; ARGV epoch, incarnation. → 1 or 0. */
export const beginScript = script(`${preamble}
local term = redis.call('HMGET', KEYS[1], 'epoch', 'incarnation', 'run')
local epoch = tonumber(ARGV[1])
local present = tonumber(term[1])
if present and (epoch < present or (epoch == present and term[3] == run())) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'incarnation', ARGV[2], 'run', run())
redis.call('DEL', KEYS[2], KEYS[3])
changed()
return 1
`);

/** KEYS term, deployments, live; ARGV epoch, incarnation, id, host, json, '1' if terminal. */
export const createScript = script(`${preamble}
if not lives(ARGV[1], ARGV[2]) then return 'other-term' end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then return 'conflict' end
if redis.call('HEXISTS', KEYS[3], ARGV[4]) == 1 then return 'conflict' end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[5])
if ARGV[6] ~= '1' then redis.call('HSET', KEYS[3], ARGV[4], ARGV[3]) end
changed()
return 'written'
`);

/** KEYS term, deployments, live; ARGV epoch, incarnation, id, host, json, '1' if terminal, version. */
export const compareAndSetScript = script(`${preamble}
if not lives(ARGV[1], ARGV[2]) then return 'other-term' end
local present = redis.call('HGET', KEYS[2], ARGV[3])
if not present then return 'gone' end
if cjson.decode(present).version ~= tonumber(ARGV[7]) - 1 then return 'conflict' end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[5])
if ARGV[6] == '1' and redis.call('HGET', KEYS[3], ARGV[4]) == ARGV[3] then
  redis.call('HDEL', KEYS[3], ARGV[4])
end
changed()
return 'written'
`);

/** KEYS term, deployments, live; ARGV epoch, incarnation, id. */
export const removeScript = script(`${preamble}
if not lives(ARGV[1], ARGV[2]) then return 'other-term' end
local present = redis.call('HGET', KEYS[2], ARGV[3])
if not present then return 'gone' end
if redis.call('HGET', KEYS[3], cjson.decode(present).host) == ARGV[3] then return 'conflict' end
redis.call('HDEL', KEYS[2], ARGV[3])
changed()
return 'written'
`);

/** KEYS term, targets; ARGV epoch, incarnation, then host, json … */
export const setTargetsScript = script(`${preamble}
if not lives(ARGV[1], ARGV[2]) then return 'other-term' end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 'written'
`);

/** KEYS term, contacts; ARGV epoch, incarnation, host, json, askedAt, at. */
export const putContactScript = script(`${preamble}
if not lives(ARGV[1], ARGV[2]) then return 'other-term' end
local present = redis.call('HGET', KEYS[2], ARGV[3])
if present then
  local before = cjson.decode(present)
  local asked, at = tonumber(ARGV[5]), tonumber(ARGV[6])
  if before.askedAt > asked or (before.askedAt == asked and before.at > at) then return 'conflict' end
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
changed()
return 'written'
`);

/** KEYS term, requests; ARGV epoch, incarnation, key, json. */
export const askEvaluationScript = script(`${preamble}
if not lives(ARGV[1], ARGV[2]) then return 'other-term' end
if redis.call('HSETNX', KEYS[2], ARGV[3], ARGV[4]) == 1 then changed() end
return 'written'
`);

/** KEYS term, requests, outcomes; ARGV key, json. */
export const putEvaluationScript = script(`${preamble}
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 'gone' end
if redis.call('HSETNX', KEYS[3], ARGV[1], ARGV[2]) == 0 then return 'conflict' end
changed()
return 'written'
`);

/** KEYS term, requests, outcomes; ARGV key. */
export const removeEvaluationScript = script(`${preamble}
if redis.call('HDEL', KEYS[2], ARGV[1]) + redis.call('HDEL', KEYS[3], ARGV[1]) > 0 then changed() end
return 'written'
`);

/** KEYS term, requests, outcomes. → both hashes, read in one act. */
export const evaluationsScript = script(`
return { redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]) }
`);
