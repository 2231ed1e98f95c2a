import { sourceContract } from './source.contract.ts';

sourceContract({ name: 'the Git program and HTTP', adapter: 'git', transport: 'http' });
