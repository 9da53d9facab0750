import { Task } from "../src/index.ts";

const mount = process.arch === "arm64" ? 40 : 165;

/** Makes a task that is root in new user and mount namespaces, with a tmpfs on `/tmp`. */
export async function cloneWithScratch(data = ""): Promise<Task> {
	const task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	mountScratch(task, 0, data);
	return task;
}

/** Mounts a tmpfs in a task, by default on `/tmp`. */
export function mountScratch(task: Task, flags = 0, data = "", at = "/tmp"): void {
	const text = (value: string) => Buffer.from(`${value}\0`);
	task.syscall(mount, text("scratch"), text(at), text("tmpfs"), flags, text(data));
}

/** Makes the tmpfs on the `/tmp` of a task read-only. */
export function makeScratchReadOnly(task: Task): void {
	const [MS_RDONLY, MS_REMOUNT] = [1, 32];
	mountScratch(task, MS_RDONLY | MS_REMOUNT);
}
