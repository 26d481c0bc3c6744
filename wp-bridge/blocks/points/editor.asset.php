<?php
/**
 * Dependencies of the block's editor script.
 *
 * @package Tillsync\Bridge
 */

return array(
	'dependencies' => array( 'wp-blocks', 'wp-block-editor', 'wp-element', 'wp-i18n' ),
	'version'      => '0.2.0',
);
