import { sourceContract } from './source.contract.ts';

sourceContract({ name: 'the Git program and a path', adapter: 'git', transport: 'path' });
