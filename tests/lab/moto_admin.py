"""Make an administrator in a fresh moto, then switch its checks of keys and policies on. Prints key id and key."""

import json
import sys
import urllib.request

import boto3

url = sys.argv[1]
iam = boto3.client(
    "iam", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="any", aws_secret_access_key="any"
)
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.create_user(UserName="lab-admin")
iam.put_user_policy(UserName="lab-admin", PolicyName="everything", PolicyDocument=json.dumps(everything))
key = iam.create_access_key(UserName="lab-admin")["AccessKey"]

# The body is how many more calls go unchecked. moto reads it raw: with a form's content type it answers 500.
switch = urllib.request.Request(
    url + "/moto-api/reset-auth", data=b"0", headers={"Content-Type": "application/octet-stream"}
)
urllib.request.urlopen(switch).read()
print(key["AccessKeyId"], key["SecretAccessKey"])
