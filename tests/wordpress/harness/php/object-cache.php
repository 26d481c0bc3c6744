<?php
/**
 * Drop-in of the test sites. It is an object cache that outlives the request, as shops have it with Redis or Memcached. Values are stored
 * in files. A request does not read a value again that it has read or written, so two processes can see different values, as with a real
 * cache.
 */

final class Tillsync_Object_Cache {
	private $known     = array();
	public $global     = array();
	public $transient  = array( 'counts' => true, 'plugins' => true );
	public $blog       = 1;

	private function path( $key, $group ) {
		$owner = isset( $this->global[ $group ] ) ? 'all' : $this->blog;
		return WP_CONTENT_DIR . '/object-cache/' . md5( "$owner\n$group\n$key" );
	}

	public function get( $key, $group, $force, &$found ) {
		$path = $this->path( $key, $group );
		if ( ( $force || ! array_key_exists( $path, $this->known ) ) && ! isset( $this->transient[ $group ] ) ) {
			$stored = is_file( $path ) ? unserialize( (string) file_get_contents( $path ) ) : false; // phpcs:ignore
			unset( $this->known[ $path ] );
			if ( is_array( $stored ) && ( 0 === $stored[0] || $stored[0] > time() ) ) {
				$this->known[ $path ] = $stored[1];
			}
		}
		$found = array_key_exists( $path, $this->known );
		$value = $found ? $this->known[ $path ] : false;
		return is_object( $value ) ? clone $value : $value;
	}

	public function set( $key, $value, $group, $expire ) {
		$path                 = $this->path( $key, $group );
		$this->known[ $path ] = is_object( $value ) ? clone $value : $value;
		if ( ! isset( $this->transient[ $group ] ) ) {
			$written = $path . getmypid();
			file_put_contents( $written, serialize( array( $expire ? time() + $expire : 0, $value ) ) ); // phpcs:ignore
			rename( $written, $path );
		}
		return true;
	}

	public function delete( $key, $group ) {
		$path = $this->path( $key, $group );
		unset( $this->known[ $path ] );
		return is_file( $path ) && @unlink( $path ); // phpcs:ignore
	}

	public function flush() {
		$this->known = array();
		array_map( static fn( $file ) => @unlink( $file ), glob( WP_CONTENT_DIR . '/object-cache/*' ) ); // phpcs:ignore
		return true;
	}

	public function name( $groups, $kind ) {
		foreach ( (array) $groups as $group ) {
			$this->{$kind}[ $group ] = true;
		}
	}
}

function wp_cache_init() {
	is_dir( WP_CONTENT_DIR . '/object-cache' ) || mkdir( WP_CONTENT_DIR . '/object-cache' );
	$GLOBALS['wp_object_cache'] = new Tillsync_Object_Cache();
}

function wp_cache_get( $key, $group = '', $force = false, &$found = null ) {
	return $GLOBALS['wp_object_cache']->get( $key, $group ? $group : 'default', $force, $found );
}

function wp_cache_set( $key, $data, $group = '', $expire = 0 ) {
	return $GLOBALS['wp_object_cache']->set( $key, $data, $group ? $group : 'default', (int) $expire );
}

function wp_cache_add( $key, $data, $group = '', $expire = 0 ) {
	wp_cache_get( $key, $group, false, $found );
	return ! $found && ! wp_suspend_cache_addition() && wp_cache_set( $key, $data, $group, $expire );
}

function wp_cache_replace( $key, $data, $group = '', $expire = 0 ) {
	wp_cache_get( $key, $group, false, $found );
	return $found && wp_cache_set( $key, $data, $group, $expire );
}

function wp_cache_incr( $key, $offset = 1, $group = '' ) {
	$value = wp_cache_get( $key, $group, true, $found );
	return $found && wp_cache_set( $key, max( 0, (int) $value + $offset ), $group ) ? max( 0, (int) $value + $offset ) : false;
}

function wp_cache_decr( $key, $offset = 1, $group = '' ) {
	return wp_cache_incr( $key, -$offset, $group );
}

function wp_cache_delete( $key, $group = '' ) {
	return $GLOBALS['wp_object_cache']->delete( $key, $group ? $group : 'default' );
}

function wp_cache_flush() {
	return $GLOBALS['wp_object_cache']->flush();
}

function wp_cache_close() {
	return true;
}

function wp_cache_add_global_groups( $groups ) {
	$GLOBALS['wp_object_cache']->name( $groups, 'global' );
}

function wp_cache_add_non_persistent_groups( $groups ) {
	$GLOBALS['wp_object_cache']->name( $groups, 'transient' );
}

function wp_cache_switch_to_blog( $blog_id ) {
	$GLOBALS['wp_object_cache']->blog = (int) $blog_id;
}
