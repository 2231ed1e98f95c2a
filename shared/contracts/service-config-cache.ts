/** A binary cache that closures are published to. */
export type CacheAccess =
  | { readonly kind: 'folder'; readonly folder: string }
  | {
      readonly kind: 'http';
      /** Files are put below it. */
      readonly url: string;
      readonly credentials: { readonly username: string; readonly password: string } | undefined;
    }
  | { readonly kind: 's3'; readonly url: string; readonly region: string; readonly keys: S3Keys };

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of keys that are valid for a while only. */
  readonly sessionToken: string | undefined;
}

/** Where a cache is, as its URL says it. */
export type CachePlace =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 's3'; readonly url: string; readonly region: string };

/**
 * Understands `file:///folder`, `http(s)://…` and `s3://bucket?region=…&endpoint=…&scheme=…`, the last as Nix has it: an
 * endpoint is a server that speaks S3's language, with the bucket as the first part of the path.
 * @returns or what is wrong with it
 */
export function parseCachePlace(text: string): CachePlace | { readonly kind: 'wrong'; readonly why: string } {
  if (!URL.canParse(text)) return wrong('not a URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return wrong(
      'credentials do not belong into the URL: use `credentials`, or the variables AWS_… for a bucket',
    );
  }
  switch (url.protocol) {
    case 'file:':
      if (url.host !== '' || url.search !== '') return wrong('write a folder as file:///folder');
      return { kind: 'folder', folder: decodeURIComponent(url.pathname) };
    case 'http:':
    case 'https:':
      if (url.search !== '' || url.hash !== '') return wrong('files are put below it: no `?` and no `#`');
      return { kind: 'http', url: url.href.replace(/\/+$/, '') };
    case 's3:':
      return parseBucket(url);
    default:
      return wrong('use file, http, https or s3');
  }
}

function parseBucket(url: URL): ReturnType<typeof parseCachePlace> {
  const bucket = url.hostname;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || !['', '/'].includes(url.pathname)) {
    return wrong('write a bucket as s3://bucket, without a folder');
  }
  const unknown = [...url.searchParams.keys()].find((key) => !['region', 'endpoint', 'scheme'].includes(key));
  if (unknown !== undefined)
    return wrong(`a bucket has \`region\`, \`endpoint\` and \`scheme\`, no \`${unknown}\``);
  const region = url.searchParams.get('region') ?? 'us-east-1';
  const scheme = url.searchParams.get('scheme') ?? 'https';
  const endpoint = url.searchParams.get('endpoint');
  if (!/^[a-z0-9-]+$/.test(region)) return wrong('`region` is not the name of a region');
  if (!/^https?$/.test(scheme)) return wrong('`scheme` is http or https');
  if (endpoint === null) return { kind: 's3', url: `https://${bucket}.s3.${region}.amazonaws.com`, region };
  if (!/^[A-Za-z0-9.-]+(:\d+)?$/.test(endpoint))
    return wrong('`endpoint` is a host name, or one with a port');
  return { kind: 's3', url: `${scheme}://${endpoint}/${bucket}`, region };
}

function wrong(why: string): { readonly kind: 'wrong'; readonly why: string } {
  return { kind: 'wrong', why };
}
