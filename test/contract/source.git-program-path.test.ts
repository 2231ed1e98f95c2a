import { remoteSourceContract } from './source-remote.contract.ts';

remoteSourceContract({ name: 'the Git program and a path', adapter: 'git', transport: 'path' });
