import { createReadStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Obstacle, type ObstacleName, type Probe, pipe, Task } from "@nearfar/core";
import { fixturePath } from "../../../../test/fixture.ts";

/** What the fixture reports. */
export type Report = Omit<Probe, "capabilities" | "toString"> & { text: string };

/** The folder of the repository, which a new root directory has to show. */
export const repository = fileURLToPath(new URL("../../../..", import.meta.url));

/**
 * Probes from a Node that a shell script starts with `$PROBE`.
 *
 * @param script - Makes the obstacle and ends with `exec $PROBE`, perhaps with a program in between.
 * @param prepare - Changes the task that executes the shell.
 */
export async function probeIn(script: string, prepare?: (task: Task) => void): Promise<Report> {
	const [reading, writing] = pipe();
	const task = await Task.clone();
	prepare?.(task);
	const report = task.put(writing, { number: 3 });
	writing.close();
	const env = { ...process.env, PROBE: `${process.execPath} ${fixturePath("core/probe")}`, REPOSITORY: repository };
	const child = task.exec("sh", ["sh", "-e", "-c", script], { fds: [report], env });
	let text = "";
	for await (const chunk of createReadStream("", { fd: reading.take() })) text += chunk;
	await child.check();
	return JSON.parse(text) as Report;
}

/** Returns the obstacles of a name, with their sources and values. */
export function found({ obstacles }: Pick<Report, "obstacles">, name: ObstacleName): Obstacle[] {
	return obstacles.filter((obstacle) => obstacle.name === name);
}
