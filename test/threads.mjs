// The threads of a fixture program.
import { readdirSync, readFileSync } from "node:fs";

/** Returns `/proc/<pid>/status` of each thread of this process. A thread that ends meanwhile has none. */
export function threadStatus() {
	return readdirSync("/proc/self/task").flatMap((tid) => {
		try {
			return readFileSync(`/proc/self/task/${tid}/status`, "utf8");
		} catch (error) {
			if (error.code === "ENOENT" || error.code === "ESRCH") return [];
			throw error;
		}
	});
}
