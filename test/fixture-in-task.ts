import { pipe, type Task } from "@nearfar/core";
import { type FixtureEnd, fixturePath } from "./fixture.ts";

/** Executes a fixture program in a task. `before` may put the task under a limit or a filter first. */
export async function runFixtureIn(task: Task, name: string, ...args: string[]): Promise<Omit<FixtureEnd, "stderr">> {
	const [read, write] = pipe();
	const far = task.put(write);
	const three = task.run(() => far.dupTo(3));
	const child = task.exec(process.execPath, [process.execPath, fixturePath(name), ...args], { fds: [three] });
	write.close();
	const { code, signal } = await child.exited;
	const report = `${read.read(65_536)}`;
	read.close();
	return { code, signal: signal as NodeJS.Signals | null, report: report ? JSON.parse(report) : undefined };
}
