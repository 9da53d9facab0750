import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { cgroupRoot, needs } from "../../../test/needs.ts";
import { Made } from "./looking.ts";

const { test } = needs(
	...(["root", "cgroup v2 in which this user can make groups"] as const),
	...(["a cgroup with memory and pids in which this user can make groups"] as const),
	...(["the programs of systemd for a user", "the program setpriv", "the program unshare"] as const),
);

const PATIENCE = 120_000; // milliseconds: systemd starts slowly on an emulated processor
const user = "setpriv --reuid 1000 --regid 1000 --clear-groups";

test(
	"CG-01: out of a login session Node's own clone and move into the tree of its user are EACCES, and the keeper's clone works",
	async () => {
		await using made = new Made();
		const [delegated, login] = [made.name(), made.name()];
		const folder = mkdtempSync(join(tmpdir(), "nearfar-login-"));
		chownSync(folder, 1000, 1000);
		const script = `set -e; cd ${cgroupRoot}
			mount -t tmpfs none /run; mkdir -p /run/systemd/system
			echo '+memory +pids' >cgroup.subtree_control
			mkdir ${delegated} ${login}
			for file in . cgroup.procs cgroup.threads cgroup.subtree_control; do chown 1000:1000 ${delegated}/$file; done
			${user} mkdir ${delegated}/session
			echo $$ >${delegated}/session/cgroup.procs
			exec 4>${login}/cgroup.procs
			exec ${user} "$@"`;
		try {
			const wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"];
			const { report, stderr } = await runFixture("cgroup/login", { wrapper, args: [folder] });
			expect(report, stderr).toMatchObject({
				own: `/${login}`,
				ownClone: "EACCES",
				ownAdd: "EACCES",
				cloned: report?.group,
				limits: { memory: { max: 64 << 20 }, pids: 20 },
			});
		} finally {
			rmSync(folder, { recursive: true });
		}
	},
	PATIENCE,
);
