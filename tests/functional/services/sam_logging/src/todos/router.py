import json
import re


class Router:
    def __init__(self):
        self.routes = []

    def get(self, rule):
        pattern = re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", rule) + "/?$")

        def register(function):
            self.routes.append((pattern, function))
            return function

        return register

    def resolve(self, event):
        for pattern, function in self.routes:
            if event["httpMethod"] == "GET" and (match := pattern.match(event["path"])):
                return {"statusCode": 200, "body": json.dumps(function(**match.groupdict()))}
        return {"statusCode": 404, "body": json.dumps({"message": "Not found"})}
