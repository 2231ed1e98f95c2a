import { sourceContract } from './source.contract.ts';

sourceContract({ name: 'isomorphic-git and HTTP', adapter: 'isomorphic', transport: 'http' });
