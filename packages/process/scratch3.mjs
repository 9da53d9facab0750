import { spawn } from "@nearfar/process";
for(let i=0;i<3000;i++){const c=await spawn("/bin/true",[],{stdio:"ignore"});await c.exited;}
