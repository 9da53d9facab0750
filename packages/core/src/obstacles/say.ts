import { signsOfContainer } from "./look.ts";
import { hintOf, type ObstacleName, type ObstacleValues, obstacle } from "./obstacle.ts";

/** Returns the hint about an obstacle, which has the narrow fix. Inside a container the fix is one for containers. */
export function say<Name extends ObstacleName>(name: Name, values: ObstacleValues[Name]): string {
	return hintOf(obstacle(name, values, { container: signsOfContainer().length > 0 }));
}
