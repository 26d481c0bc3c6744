<?php
/**
 * Front controller of `php -S`. It serves existing files and passes every other path to WordPress. It shortens paths of a subdirectory
 * network as WordPress's usual rewrite rules do.
 */

$root = $_SERVER['DOCUMENT_ROOT'];
$path = rawurldecode( (string) parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH ) );
if ( preg_match( '#^/[_0-9a-zA-Z-]+(/wp-(?:admin|includes|content|login|cron|signup|activate)[/.].*|/[^/]+\.php)$#', $path, $below ) && ! file_exists( $root . $path ) && file_exists( $root . $below[1] ) ) {
	$path = $below[1];
	if ( ! preg_match( '#\.php$|/$#', $path ) ) {
		$types = array( 'css' => 'text/css', 'js' => 'text/javascript', 'svg' => 'image/svg+xml', 'png' => 'image/png' );
		header( 'Content-Type: ' . ( $types[ pathinfo( $path, PATHINFO_EXTENSION ) ] ?? 'application/octet-stream' ) );
		readfile( $root . $path );
		return;
	}
	$script                     = $root . $path . ( '/' === substr( $path, -1 ) ? 'index.php' : '' );
	$_SERVER['SCRIPT_FILENAME'] = $script;
	$_SERVER['SCRIPT_NAME']     = substr( $script, strlen( $root ) );
	$_SERVER['PHP_SELF']        = $_SERVER['SCRIPT_NAME'];
	chdir( dirname( $script ) );
	require $script;
	return;
}
if ( '/' !== $path && ( is_file( $root . $path ) || is_file( rtrim( $root . $path, '/' ) . '/index.php' ) ) ) {
	return false;
}
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['PHP_SELF']    = '/index.php';
require $root . '/index.php';
