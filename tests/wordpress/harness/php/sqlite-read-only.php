<?php
// Sets the driver's connection to refuse writes.
$GLOBALS['@pdo']->exec( 'PRAGMA query_only = ON' );
