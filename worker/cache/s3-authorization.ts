import { AwsV4Signer } from 'aws4fetch';

import type { S3Keys } from '../../shared/contracts/service-config-cache.ts';
import type { Authorize } from './http-target.ts';

/** Signs requests as S3, and what speaks its language, wants them: with AWS's Signature Version 4. */
export function s3Authorization({
  region,
  keys,
}: {
  readonly region: string;
  readonly keys: S3Keys;
}): Authorize {
  const { accessKeyId, secretAccessKey, sessionToken } = keys;
  return async ({ method, url, sha256 }) => {
    const signer = new AwsV4Signer({
      ...{ method, url, region, service: 's3', accessKeyId, secretAccessKey },
      headers: { 'x-amz-content-sha256': sha256 },
      ...(sessionToken === undefined ? {} : { sessionToken }),
    });
    const { headers } = await signer.sign();
    return Object.fromEntries(headers);
  };
}
