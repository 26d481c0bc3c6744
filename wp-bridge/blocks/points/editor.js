/**
 * The block in the editor. It shows an example, because the editing person is not the shopper who sees the points.
 */
( ( blocks, blockEditor, element, i18n ) => {
	'use strict';

	const { __, sprintf } = i18n;

	blocks.registerBlockType( 'tillsync/points', {
		edit: () =>
			element.createElement(
				'div',
				blockEditor.useBlockProps(),
				/* translators: %s: number of points */
				element.createElement( 'p', null, sprintf( __( 'Your points: %s', 'tillsync-bridge' ), '120' ) ),
				element.createElement( 'p', null, __( 'Example: each shopper sees their own.', 'tillsync-bridge' ) )
			),
		save: () => null,
	} );
} )( window.wp.blocks, window.wp.blockEditor, window.wp.element, window.wp.i18n );
