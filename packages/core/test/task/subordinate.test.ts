import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";

// In a mount namespace of its own the fixture finds other files in /etc. The user 1000 needs a line in /etc/passwd: newuidmap looks.
const script = `
mount --bind "$0/ranges" /etc/subuid
mount --bind "$0/ranges" /etc/subgid
getent passwd 1000 >/dev/null || {
	{ cat /etc/passwd; echo "ordinary:x:1000:1000::/:/bin/sh"; } >"$0/passwd"
	mount --bind "$0/passwd" /etc/passwd
}
exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"`;

needs(
	"root",
	"/proc",
	"mnt namespaces",
	"newuidmap and newgidmap with their bits",
	"no_new_privs that is not set",
	"the program setpriv",
	"the program unshare",
).test("img #56: an ordinary user maps subordinate ranges by newuidmap and newgidmap", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-ranges-"));
	try {
		writeFileSync(join(folder, "ranges"), "1000:100000:65536\n");
		const wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, folder];
		const { code, report, stderr } = await runFixture("core/subordinate", { wrapper });
		expect([code, stderr]).toEqual([0, ""]);
		const map = "0 1000 1 1 100000 65536";
		expect(report).toEqual({
			maps: [
				[map, map, "allow"],
				[map, map, "deny"],
			],
			failures: [
				{ code: "ERR_NEARFAR_ID_MAP_HELPER", said: true },
				{ code: "EPERM", path: "/proc/PID/uid_map" },
			],
		});
	} finally {
		rmSync(folder, { recursive: true });
	}
});
