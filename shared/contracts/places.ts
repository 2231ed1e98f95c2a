/** Where workers root what they evaluate and build, a folder in it for each data folder. */
export const workerRootsFolder = '/nix/var/nix/gcroots/varve-worker';
