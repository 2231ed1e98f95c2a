import type { DeploymentId } from '../../domain/names.ts';

/** Where new names come from. Random in production, counted in tests. */
export interface Ids {
  deployment(): DeploymentId;
  /** Unguessable, unique: owners, incarnations, lease holders. */
  unique(): string;
}
