// A program that makes a lab and then waits to be killed.
import { createLab } from '../../hosts/lab.ts';

const lab = await createLab({ hosts: ['a', 'b'] });
await lab.host('b').freeze();
process.stdout.write(`ready ${lab.dir}\n`);
setInterval(() => {}, 60_000);
