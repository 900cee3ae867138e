"""OpenAPI Generator, whose jar is in a package of PyPI.

generate.py GENERATOR DOCUMENT FOLDER [OPTION]..

Generates a client, such as one of `java`, of the document into the folder. Prints the jar's path.
"""
import os
import subprocess
import sys

import openapi_generator_cli

JAR = os.path.join(os.path.dirname(openapi_generator_cli.__file__), 'openapi-generator.jar')


def generate(generator, document, folder, *options):
    """Generates the client without its tests and documentation."""
    without = ','.join(f'{kind}=false' for kind in ['apiTests', 'modelTests', 'apiDocs', 'modelDocs'])
    command = ['java', '-jar', JAR, 'generate', f'--generator-name={generator}', f'--input-spec={document}',
               f'--output={folder}', f'--global-property={without}', *options]
    ran = subprocess.run(command, text=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


if __name__ == '__main__':
    generate(*sys.argv[1:4], *sys.argv[4:])
    print(JAR)
