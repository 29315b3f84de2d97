import os
import tempfile
from pathlib import Path
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "photo"
            s3.download_file(bucket, key, str(photo))
            photo.write_bytes(photo.read_bytes()[:3])
            s3.upload_file(str(photo), os.environ["THUMBNAILS"], f"{Path(key).stem}-small.jpg")
