import { remoteSourceContract } from './source-remote.contract.ts';

remoteSourceContract({ name: 'the Git program and HTTP', adapter: 'git', transport: 'http' });
