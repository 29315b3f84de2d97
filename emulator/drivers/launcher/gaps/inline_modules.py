"""
Gap: MiniStack 1.5.33 gives functions whose code stands in the template no ``cfnresponse``.

On AWS their package has it: `import cfnresponse` in Python, `require('cfn-response')` in Node. Without it a custom
resource never answers, and its stack waits.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cfn-lambda-function-code-cfnresponsemodule.html
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

_PYTHON = """\
import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    answer = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, headers={"Content-Type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request) as response:
            print("Status code:", response.status)
    except Exception as error:
        print("send(..) failed executing http.request(..):", error)
"""

_NODE = """\
exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = function (event, context, responseStatus, responseData, physicalResourceId, noEcho) {
  return new Promise((resolve) => {
    const body = JSON.stringify({
      Status: responseStatus,
      Reason: "See the details in CloudWatch Log Stream: " + context.logStreamName,
      PhysicalResourceId: physicalResourceId || context.logStreamName,
      StackId: event.StackId,
      RequestId: event.RequestId,
      LogicalResourceId: event.LogicalResourceId,
      NoEcho: noEcho || false,
      Data: responseData,
    });
    const url = new URL(event.ResponseURL);
    const transport = require(url.protocol === "https:" ? "https" : "http");
    const headers = { "content-type": "", "content-length": Buffer.byteLength(body) };
    const finish = (said) => { console.log(said); if (context.done) context.done(); resolve(); };
    const request = transport.request(url, { method: "PUT", headers }, (response) => {
      response.resume();
      finish("Status code: " + response.statusCode);
    });
    request.on("error", (error) => finish("send(..) failed executing https.request(..): " + error));
    request.end(body);
  });
};
"""


def apply() -> None:
    """Put them beside the code that MiniStack packs."""
    from ministack.services.cloudformation import provisioners

    provisioners._zip_inline = _with_modules(provisioners._zip_inline)


def _with_modules(packed: Any) -> Any:
    def zip_inline(source: str | None, handler: str, runtime: str = "python3.12") -> bytes | None:
        archive: bytes | None = packed(source, handler, runtime)
        if archive is None:
            return None
        buffer = io.BytesIO(archive)
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as content:
            if runtime.startswith("nodejs"):
                content.writestr("node_modules/cfn-response/index.js", _NODE)
            elif runtime.startswith("python"):
                content.writestr("cfnresponse.py", _PYTHON)
        return buffer.getvalue()

    return zip_inline
