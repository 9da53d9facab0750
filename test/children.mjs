import { readdirSync, readFileSync } from "node:fs";

/** Returns the pids of the children of all threads of a process. A thread that ends meanwhile has none. */
export function childrenOf(pid = "self") {
	return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
		try {
			return readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number);
		} catch (error) {
			if (!["ENOENT", "ESRCH"].includes(error.code)) throw error;
			return [];
		}
	});
}
