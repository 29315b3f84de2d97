def handler(event, context):
    if not event["name"]:
        raise ValueError("[400] who?")
    return {"hello": event["name"]}
