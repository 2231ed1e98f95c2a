// A program that makes a lab and then waits to be killed.
import { spawn } from 'node:child_process';

import { cgroupName, inCgroups, makeCgroups } from '../../hosts/cgroup.ts';
import { createLab } from '../../hosts/lab.ts';

const lab = await createLab({ hosts: ['a', 'b'] });
await lab.host('b').freeze();
// What belongs to a lab and is no host, as the senders of the benchmark do.
const sleep = ['sleep', '600'];
const [program, ...args] = inCgroups(await makeCgroups(cgroupName(lab.number, 'sender')), sleep);
spawn(program, args, { stdio: 'ignore', detached: true }).unref();
process.stdout.write(`ready ${lab.dir}\n`);
setInterval(() => {}, 60_000);
