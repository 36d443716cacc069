import type { Network } from '../linux/net/outside.ts';
import { CliError, ExitCode } from './errors.ts';
import type { RunOptions } from './guest-options.ts';
import { allowed, madeOf } from './options.ts';

/** What the program reaches over `--net user`, if it is given. */
export async function hostNetwork({ net, allow, publish }: RunOptions): Promise<Network | undefined> {
  if (net === undefined) {
    if (allow.length + publish.length > 0) throw new CliError('--allow and --publish need --net user', ExitCode.Usage);
    return undefined;
  }
  const [{ makeHostNetwork, parsePublished }, { nodeNatHost }] = await Promise.all([
    import('../devices/net/host-network.ts'),
    import('../host/node.ts'),
  ]);
  const published = publish.map((text) => madeOf('--publish', () => parsePublished(text)));
  return makeHostNetwork({ allow: allowed(allow), publish: published, host: nodeNatHost });
}
