import { remoteSourceContract } from './source-remote.contract.ts';

remoteSourceContract({ name: 'isomorphic-git and HTTP', adapter: 'isomorphic', transport: 'http' });
