import { looksContained } from "./look.ts";
import { hintOf, type ObstacleName, type ObstacleValues, obstacle } from "./obstacle.ts";

/** Numbers of capabilities that refused calls need. */
export const CAP_NET_ADMIN = 12;
export const CAP_SYS_CHROOT = 18;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_RESOURCE = 24;
export const CAP_CHECKPOINT_RESTORE = 40;

/** Returns the hint about an obstacle, which has the narrow fix. Inside a container the fix is one for containers. */
export function say<Name extends ObstacleName>(name: Name, values: ObstacleValues[Name]): string {
	return hintOf(obstacle(name, values, { container: looksContained() }));
}
